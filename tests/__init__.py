"""Tests: real PostgreSQL, Redis and RabbitMQ, real HTTP, real signatures."""
