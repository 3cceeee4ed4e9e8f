"""What processors report unasked: Stripe's webhooks, stored as they came, and what each notice changes."""

from services.gateway.notices.commands.adopting import Adoption
from services.gateway.notices.commands.events import StripeInbox
from services.gateway.notices.commands.notices import Notices
from services.gateway.notices.commands.opening import Opening
from services.gateway.notices.commands.resending import publications_of, resend
from services.gateway.notices.consumers import NoticeConsumers
from services.gateway.notices.domain import Dispute
from services.gateway.notices.routes import webhook_routes
from services.gateway.notices.sql.events import EventStore, RawEvent, WaitingEvents, keep_in
from services.gateway.notices.workers import event_workers, report_workers

__all__ = [
    "Adoption",
    "Dispute",
    "EventStore",
    "NoticeConsumers",
    "Notices",
    "Opening",
    "RawEvent",
    "StripeInbox",
    "WaitingEvents",
    "event_workers",
    "keep_in",
    "publications_of",
    "report_workers",
    "resend",
    "webhook_routes",
]
