"""Dead letters of every service, for operators: REST for what each service answers about its own queues."""
