"""The gateway: it asks the payment processor to hold and to take money, once each, and finds out the truth when it is lost.

Owns: attempts, one per operation on a payment intent, each written down before the processor is asked.
Hears: `AuthorizePayment` and `CapturePayment`, from the api.
Says: `PaymentAuthorized`, `AuthorizationDeclined`, `PaymentCaptured` and `CaptureFailed`.
"""
