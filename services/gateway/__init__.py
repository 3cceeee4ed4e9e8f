"""The gateway: it calls payment processors to hold, take, release and give back money, once each, and finds out outcomes
that were lost.

Owns: attempts, one per operation on a payment or refund, each written down before the processor is called; disputes; what
moved on accounts at processors, and their payouts.
Handles: `AuthorizePayment`, `CapturePayment`, `VoidPayment` and `RefundPayment`, from the api; notices, from processors.
Publishes: what became of each, that a customer must act, that a hold has expired, how disputes stand, and what a processor's
statement shows.
"""
