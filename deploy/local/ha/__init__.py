"""Profile `ha`: PostgreSQL under Patroni, RabbitMQ and Redis in several nodes on this machine, which outlive any one of them.

`plan` says which nodes there are and where they listen, `patroni` and `configs` write what each program reads, `nodes` starts,
kills, suspends and resumes single nodes, and `cluster` all of them.
"""
