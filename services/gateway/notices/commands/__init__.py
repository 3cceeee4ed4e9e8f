"""What is decided about notices: `notices` applies one, `adopting` compares lists with our records, `events` works on Stripe's events, `resending` publishes again."""

from services.gateway.notices.commands.adopting import Adoption
from services.gateway.notices.commands.events import StripeInbox
from services.gateway.notices.commands.notices import Notices
from services.gateway.notices.commands.opening import Opening
from services.gateway.notices.commands.resending import resend

__all__ = ["Adoption", "Notices", "Opening", "StripeInbox", "resend"]
