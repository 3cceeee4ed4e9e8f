"""What the sandbox keeps of customers: nothing. What it shows is made of what it receives, the same each time."""

from uuid import UUID

from services.gateway.processors.port.saving import KeptMethod, NewCustomer, SetupRequest, SetupState, SetupStatus

_CARDS = {"pm_card_mastercard": ("mastercard", "4444"), "pm_card_authenticationRequired": ("visa", "3184")}
"""The tokens that save another card than a Visa that ends in 4242."""
_DECLINED = "pm_card_chargeDeclined"
"""The token of what cannot be saved."""
_EXPIRY = (12, 2034)
PROOF_EACH_TIME = "_3184"
"""How the reference of a saved card ends whose customer must prove who they are for each payment."""


class SandboxVault:
    """Saves a card at once, without a customer who would enter one."""

    async def create_customer(self, new: NewCustomer) -> str:
        """Name the customer by our id."""
        return f"sandbox_cus_{new.customer_id}"

    async def find_customer(self, *, customer_id: UUID) -> str:
        """Name the customer by our id."""
        return f"sandbox_cus_{customer_id}"

    async def delete_customer(self, ref: str) -> None:
        """Forget nothing: nothing is kept."""

    async def start_setup(self, request: SetupRequest) -> SetupState:
        """Save the card of a token, at once, or refuse it."""
        ref = f"sandbox_seti_{request.setup_id}"
        if request.payment_method == _DECLINED:
            return _refused(ref)
        brand, last4 = _CARDS.get(request.payment_method, ("visa", "4242"))
        month, year = _EXPIRY
        method = KeptMethod(
            ref=f"sandbox_pm_{request.setup_id}_{last4}",
            type="card",
            brand=brand,
            last4=last4,
            exp_month=month,
            exp_year=year,
        )
        return SetupState(ref=ref, status=SetupStatus.SUCCEEDED, method=method)

    async def read_setup(self, ref: str) -> SetupState:
        """Show what is not over yet: a card that was refused, in whose stead none can be entered."""
        return _refused(ref)

    async def detach(self, ref: str) -> None:
        """Forget nothing: nothing is kept."""


def _refused(ref: str) -> SetupState:
    return SetupState(
        ref=ref,
        status=SetupStatus.REQUIRES_PAYMENT_METHOD,
        failure_code="generic_decline",
        failure_message="Your card was declined.",
    )
