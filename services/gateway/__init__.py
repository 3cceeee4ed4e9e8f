"""The gateway: it asks payment processors to hold, take, release and give back money, once each, and finds out the truth
when it is lost.

Owns: attempts, one per operation on a payment or refund, each written down before the processor is asked; disputes.
Hears: `AuthorizePayment`, `CapturePayment`, `VoidPayment` and `RefundPayment`, from the api; notices, from processors.
Says: what became of each, that a customer must act, that a hold has expired, and how disputes stand.
"""
