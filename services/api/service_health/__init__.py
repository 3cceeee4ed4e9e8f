"""How the services are, for operators: their outboxes, their queues, and the processors that they call."""
