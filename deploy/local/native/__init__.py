"""Private native instances of PostgreSQL, Redis and RabbitMQ: own ports, own data folders, own users, loopback only."""
