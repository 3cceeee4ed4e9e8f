# The platform's tasks. `just` alone lists them; ./scripts/*.sh run the same for a machine with nothing set up.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments := true

python := quote(justfile_directory() / ".venv/bin/python")
ruff := quote(justfile_directory() / ".venv/bin/ruff")

[private]
default:
    @{{ quote(just_executable()) }} --justfile {{ quote(justfile()) }} --list --unsorted

# Set up what is missing (uv, .venv); quick when nothing changed
[no-exit-message]
[group('run')]
setup:
    @[ "${PAYMENTS_ENV_READY:-}" = 1 ] || ./scripts/_lib.sh setup

# Start everything and make one payment go through, from HTTP to a verified webhook; leave it running
[no-exit-message]
[group('run')]
demo *args: setup
    @{{ python }} -m deploy.local demo "$@"

# Start servers and services, migrate and seed; safe to repeat; with --observe also Prometheus and Alertmanager, with --profile four-databases a database for each service, with --profile ha servers of several nodes
[no-exit-message]
[group('run')]
up *args: setup
    @{{ python }} -m deploy.local up "$@"

# Stop everything; with --wipe also remove the data
[no-exit-message]
[group('run')]
down *args: setup
    @{{ python }} -m deploy.local down "$@"

# Say how each server and service is, and what to do next
[no-exit-message]
[group('run')]
status *args: setup
    @{{ python }} -m deploy.local status "$@"

# Kill, suspend, resume or start a node of --profile ha, as status names it, or PostgreSQL's leader: just node kill leader; cut and join its machine
[no-exit-message]
[group('operate')]
node action name: setup
    @{{ python }} -m deploy.local node "$@"

# Restart all services, or those named, with the settings in force now
[no-exit-message]
[group('run')]
restart *services: setup
    @{{ python }} -m deploy.local restart "$@"

# Follow the logs of all services, or of those named
[no-exit-message]
[group('run')]
logs *services: setup
    @{{ python }} -m deploy.local logs "$@"

# Take the pictures in docs/console anew, of the running platform of `just demo`, where Chromium is
[no-exit-message]
[group('run')]
console-pictures *args: setup
    @{{ python }} -m deploy.local console-pictures "$@"

# Bring the schemas of the four services up to date
[no-exit-message]
[group('run')]
migrate *args: setup
    @{{ python }} -m deploy.local migrate "$@"

# Write the demo tenants, users, roles, policies and accounts; safe to repeat
[no-exit-message]
[group('run')]
seed *args: setup
    @{{ python }} -m deploy.local seed "$@"

# Check the running platform from log-in to received webhook
[no-exit-message]
[group('run')]
smoke *args: setup
    @{{ python }} -m deploy.local smoke "$@"

# Play the suite and the orders service beside the running platform: a tenant, an order, its payment, its cancellation
[no-exit-message]
[group('run')]
partners *args: setup
    @{{ python }} -m tests.support.play_partners "$@"

# Show the settings in force, secrets masked, and where each comes from; for a shell: eval "$(just env --export)"
[no-exit-message]
[group('run')]
env *args: setup
    @{{ python }} -m deploy.local env "$@"

# Print the address of a service in this checkout: curl "$(just url)/healthz"
[no-exit-message]
[group('run')]
url *args: setup
    @{{ python }} -m deploy.local url "$@"

# List the dead letters of a service with their reason and age: just dead ledger [QUEUE]
[no-exit-message]
[group('run')]
dead service *args: setup
    @{{ python }} -m deploy.local operate dead "$@"

# Send the dead letters of a service back: just redrive ledger [QUEUE] [--id EVENT]
[no-exit-message]
[group('run')]
redrive service *args: setup
    @{{ python }} -m deploy.local operate redrive "$@"

# List payments that wait too long, with the reason and what to do
[no-exit-message]
[group('run')]
stuck *args: setup
    @{{ python }} -m deploy.local stuck "$@"

# What destinations refuse: just refused api [retry DESTINATION | give-up DESTINATION --reason TEXT [--before TIMESTAMP]]
[no-exit-message]
[group('run')]
refused service *args: setup
    @{{ python }} -m deploy.local operate refused "$@"

# Publish again what a service published: just resend gateway --since 2026-11-22T10:00:00Z [--until] [--contract] [--intent]
[no-exit-message]
[group('run')]
resend service *args: setup
    @{{ python }} -m deploy.local operate resend "$@"

# Say how the gateway does, or: just gateway move-account ACCOUNT (--to-config ID | --to-tenant TENANT) --reason TEXT [--live], or: just gateway resolve ATTEMPT --as held|taken|released|refunded|declined --reason TEXT [--unread --ref REFERENCE]
[no-exit-message]
[group('run')]
gateway *args: setup
    @{{ python }} -m deploy.local run {{ python }} -m services.gateway "${@:-status}"

# Back the database up, and archive its log from then on, so that any moment can be restored; --full for all of it again
[no-exit-message]
[group('operate')]
backup *args: setup
    @{{ python }} -m deploy.local backup "$@"

# Replace the database by a moment that was backed up: just restore [--to 2026-11-22T10:00:00Z]; see docs/backup.md
[no-exit-message]
[group('operate')]
restore *args: setup
    @{{ python }} -m deploy.local restore "$@"

# Administer without logging in: just admin (tenant | user | role | policy | key | revoke-key) ...; --help explains each
[no-exit-message]
[group('operate')]
admin *args: setup
    @{{ python }} -m deploy.local run {{ python }} -m services.api admin "$@"

# Run every check and a sample of the tests; arguments go to pytest
[no-exit-message]
[group('check')]
test *args: setup
    @{{ python }} -m deploy.local test "$@"

# The same with every file and case of which the test command draws a sample, and with coverage
[no-exit-message]
[group('check')]
test-all: setup
    @TEST_CASES=all {{ python }} -m deploy.local test

# Run unit and integration tests, servers included, under a moved wall clock and in other zones
[no-exit-message]
[group('check')]
test-on-other-days *days: setup
    @{{ python }} -m deploy.local test-on-other-days "$@"

# Change the money and messaging modules a little, many times, and look whether a test notices: just mutate --sample 10 --seed 1
[no-exit-message]
[group('check')]
mutate *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.support.mutation "$@"

# Check format, lint, types and import contracts
[no-exit-message]
[group('check')]
check *args: setup
    @{{ python }} -m deploy.local check "$@"

# Format the code and fix what can be fixed
[no-exit-message]
[group('check')]
fmt: setup
    @{{ ruff }} format .
    @{{ ruff }} check --fix .

# Run the tests that need no server
[no-exit-message]
[group('check')]
unit *args: setup
    @{{ python }} -m pytest tests/unit "$@"

# Run the tests against PostgreSQL, Redis and RabbitMQ
[no-exit-message]
[group('check')]
integration *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m pytest tests/integration "$@"

# Run the tests of what we promise to others: HTTP, messages, compatibility
[no-exit-message]
[group('check')]
contract *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m pytest tests/contract "$@"

# Run the tests over the four services as processes
[no-exit-message]
[group('check')]
e2e *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m pytest tests/e2e "$@"

# Run each test file by itself in a process of its own, all of them or those of some folders; CPU seconds are printed
[no-exit-message]
[group('check')]
test-files-alone *places="tests": setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.support.alone {{ places }}

# Send thousands of hostile messages to every queue of the four services
[no-exit-message]
[group('check')]
fuzz-messages messages="5000": setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @HOSTILE_MESSAGES={{ messages }} {{ python }} -m pytest -n 0 tests/integration/messaging/test_hostile.py

# Try our documents with what other teams use: the official AsyncAPI parser, openapi-typescript, openapi-python-client, Redocly, Spectral and clients of openapi-generator (with Java); installed from npm and PyPI
[no-exit-message]
[group('check')]
official: setup
    @{{ python }} -m tests.support.official

# Hold the running api to its OpenAPI document at length
[no-exit-message]
[group('check')]
conformance examples="100": setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @CONFORMANCE_EXAMPLES={{ examples }} CONFORMANCE_BOUNDARIES=all {{ python }} -m pytest -n 0 tests/e2e/test_conformance.py

# Send ten thousand malformed and two thousand hostile requests to the api; its stalls and memory are bounded and printed
[no-exit-message]
[group('check')]
malformed requests="10000": setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @MALFORMED_REQUESTS={{ requests }} {{ python }} -m pytest -n 0 -s tests/e2e/test_malformed.py

# Prove that no webhook is lost: ten thousand events, while workers, broker and database are killed at random
[no-exit-message]
[group('check')]
proof-webhooks *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.proof.webhooks "$@"

# Prove that no payment is charged twice or lost: 10,000 of them, a stumbling Stripe, two gateways killed in turn
[no-exit-message]
[group('check')]
proof-gateway *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.proof.gateway "$@"

# Prove that books and Stripe's balance are equal: 10,000 payments with everything that moves money there, two gateways killed in turn
[no-exit-message]
[group('check')]
proof-statement *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.proof.statement "$@"

# Prove that a reconciliation run that is killed over and over has the same result as one that was left alone (--payments, --kills)
[no-exit-message]
[group('check')]
proof-reconciliation *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.proof.reconciliation "$@"

# Prove that a restart leaves nothing behind: services killed under load, and restarted with a backlog (--runs N, --restarts N)
[no-exit-message]
[group('check')]
proof-restarts *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.proof.restarts "$@"

# Prove that a lost server is restored: all that the servers stored is removed, payments of before and after are compared with the processor's
[no-exit-message]
[group('check')]
proof-backup *args: setup
    @{{ python }} -m tests.proof.backup "$@"

# Prove that a version is replaced by this one under load, both side by side, and that the way back is open (--from COMMIT)
[no-exit-message]
[group('check')]
proof-upgrade *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.proof.upgrade "$@"

# Disturb the platform under load by a seeded schedule of faults, then audit everything: just chaos --minutes 10 --seed 7 (--per-second, --kinds)
[no-exit-message]
[group('check')]
chaos *args: setup
    @{{ python }} -m tests.proof.chaos.run "$@"

# Prove that twice the sustainable load does no harm: what cannot be done is refused early, what is accepted is done
[no-exit-message]
[group('check')]
proof-overload *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.proof.overload "$@"

# Pay at 70 percent of the sustainable load for an hour (--minutes N); memory, latency and tables are drawn to .local/proof/soak.svg
[no-exit-message]
[group('check')]
soak *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.proof.soak "$@"

# Prove that no payment is lost or doubled while nodes of --profile ha are killed and suspended under load (--runs, --clients, --faults)
[no-exit-message]
[group('check')]
proof-ha *args: setup
    @{{ python }} -m tests.proof.ha "$@"

# Verify that no role reads another service's schema, and that the ledger cannot rewrite its books
[no-exit-message]
[group('check')]
verify-isolation *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m pytest tests/e2e/test_isolation.py "$@"

# Recompute the ledger's seals, links and balances from the rows alone, and name whatever is wrong
[no-exit-message]
[group('check')]
verify-ledger: setup
    @{{ python }} -m deploy.local run {{ python }} -m services.ledger verify

# Write all of the books with what proves them to a file, which `just verify-export` verifies without the database
[no-exit-message]
[group('check')]
export-books file: setup
    @{{ python }} -m deploy.local run {{ python }} -m services.ledger export > {{ file }}

# Verify an export of the books offline: --keys PUBLIC_KEYS.pem --heads HEADS_FILE
[no-exit-message]
[group('check')]
verify-export file *args: setup
    @{{ python }} -m services.ledger.integrity.commands.offline {{ file }} {{ args }}

# Print the public keys of the ledger's and the api's signing keys
[no-exit-message]
[group('check')]
public-keys: setup
    @{{ python }} -m deploy.local run {{ python }} -m services.ledger public-keys
    @{{ python }} -m deploy.local run {{ python }} -m services.api public-keys

# Recompute the seals of changes of tenants, users, keys, roles and policies, compare the tables with them, and name whatever is wrong
[no-exit-message]
[group('check')]
verify-changes: setup
    @{{ python }} -m deploy.local run {{ python }} -m services.api verify

# Write the sealed changes with what proves them to a file, which `just verify-changes-export` verifies without the database
[no-exit-message]
[group('check')]
export-changes file: setup
    @{{ python }} -m deploy.local run {{ python }} -m services.api export > {{ file }}

# Verify an export of sealed changes offline: --keys PUBLIC_KEYS.pem --heads HEADS_FILE
[no-exit-message]
[group('check')]
verify-changes-export file *args: setup
    @{{ python }} -m services.api.integrity.commands.offline {{ file }} {{ args }}

# Drive the ledger and a model in plain Python by the same 20,000 random operations
[no-exit-message]
[group('check')]
proof-ledger *args: setup
    @{{ python }} -m tests.support.ledger_proof "$@"

# Measure the public path: rates, latencies, and what a payment costs in CPU, rows, messages and bytes
[no-exit-message]
[group('measure')]
bench *args: setup
    @{{ python }} -m tests.bench.payments "$@"

# Measure what metrics and traces cost: with neither, with metrics, and with traces too, in turns (--ratios 0.1 1)
[no-exit-message]
[group('measure')]
bench-observing *args: setup
    @{{ python }} -m tests.bench.observing "$@"

# Measure latency by rate and the cost of a payment, and draw the plots of docs/performance.md; --draw-only draws what was measured before
[no-exit-message]
[group('measure')]
bench-plots *args: setup
    @{{ python }} -m tests.bench.plots "$@"

# Measure how fast the ledger posts
[no-exit-message]
[group('measure')]
bench-ledger *args: setup
    @{{ python }} -m tests.bench.ledger "$@"

# Measure what a rude tenant does to another's posting and first deliveries
[no-exit-message]
[group('measure')]
bench-neighbours *args: setup
    @{{ python }} -m tests.bench.neighbours "$@"

# Measure how fast the books are verified, and what it does to who posts
[no-exit-message]
[group('measure')]
bench-verification *args: setup
    @{{ python }} -m tests.bench.verification "$@"

# Measure the ledger with ten million entries in its books
[no-exit-message]
[group('measure')]
bench-ledger-large entries="10000000": setup
    @{{ python }} -m tests.bench.large_books --entries {{ entries }}

# Measure webhooks per second, with slow and hanging receivers among them
[no-exit-message]
[group('measure')]
bench-webhooks *args: setup
    @{{ python }} -m tests.bench.webhooks "$@"

# Measure the gateway: its overhead, and its rate with a processor that takes 300 ms
[no-exit-message]
[group('measure')]
bench-gateway *args: setup
    @{{ python }} -m tests.bench.gateway "$@"

# Measure list pages and cursors over a million payment intents
[no-exit-message]
[group('measure')]
bench-lists *args: setup
    @{{ python }} -m tests.bench.lists "$@"

# Measure every page of the console with a million payments (--payments, --requests)
[no-exit-message]
[group('measure')]
bench-console *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.bench.console "$@"

# Carry out runs of reconciliation over 100,000 payments in the four services, while 50 are paid a second (--payments-per-second)
[no-exit-message]
[group('measure')]
bench-reconciliation *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.bench.reconciliation "$@"

# The same with a million payments; they are loaded by COPY in some minutes
[group('measure')]
bench-reconciliation-large payments="1000000": setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.bench.reconciliation --payments {{ payments }} --runs 1

# Import a file of 500 MB over the api: seconds, and the most memory of each service (--megabytes, --format csv or camt053)
[no-exit-message]
[group('measure')]
bench-import *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.bench.imports "$@"

# Match 10,000 lines of bank statements with 5,000 payouts in one run (--lines, --payouts)
[group('measure')]
bench-matching *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.bench.matching "$@"

# Lead 20,000 random payments through api, gateway and ledger, out of order and doubled, and compare everybody's books
[no-exit-message]
[group('measure')]
proof-lifecycle *args: setup
    @{{ python }} -m deploy.local up-servers --profile test >/dev/null
    @{{ python }} -m tests.proof.lifecycle "$@"

# Draw the dashboards from a running Prometheus to docs/observability: just pictures --minutes 15 (--prometheus URL)
[no-exit-message]
[group('document')]
pictures *args: setup
    @{{ python }} -m deploy.observability.pictures "$@"

# Print what a number of payments a second needs: CPU, rows, disk, messages, processes and connections
[group('operate')]
capacity rate: setup
    @{{ python }} -m deploy.local capacity {{ rate }}

# Print what is in a service's image, as CycloneDX: just sbom api >api.cdx.json
[group('operate')]
sbom service: setup
    @{{ python }} -m deploy.local.sbom {{ service }}

# Write the digest of each image that others made behind its tag, as its registry has it now (--check, --mirror docker.io=URL)
[no-exit-message]
[group('operate')]
pin-images *args: setup
    @{{ python }} -m deploy.local.pins "$@"

# Make a key pair that signs tokens: FILE and FILE.pub (--algorithm ES256 or RS256)
[no-exit-message]
[group('operate')]
make-key *args: setup
    @{{ python }} -m deploy.local make-key "$@"

# Write the OpenAPI and AsyncAPI documents to docs/api
[no-exit-message]
[group('document')]
api-export *args: setup
    @{{ python }} -m deploy.local docs docs/api "$@"

# Write every generated file that is stale: docs, definitions, lists, the schemas of messages, functions of the database
[no-exit-message]
[group('document')]
docs *args: setup
    @{{ python }} -m deploy.local docs "$@"
