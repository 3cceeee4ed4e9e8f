-- What moved on accounts at processors, what they paid out, and how far each list was read.
CREATE TABLE processor_movements (
    account_id TEXT NOT NULL,
    is_live BOOLEAN NOT NULL,
    id TEXT NOT NULL,
    movement_id UUID NOT NULL,
    tenant_id TEXT NOT NULL,
    is_booked BOOLEAN NOT NULL,
    kind TEXT NOT NULL,
    type TEXT NOT NULL,
    reporting_category TEXT NOT NULL,
    source_ref TEXT NOT NULL,
    payment_ref TEXT NOT NULL,
    charge_ref TEXT NOT NULL,
    payment_intent_id UUID,
    refund_id UUID,
    amount_minor BIGINT NOT NULL,
    fee_minor BIGINT NOT NULL,
    fee_details JSONB NOT NULL,
    net_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    exchange_rate TEXT NOT NULL,
    source_amount_minor BIGINT,
    source_currency TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    available_at TIMESTAMP WITH TIME ZONE NOT NULL,
    status TEXT NOT NULL,
    payout_ref TEXT DEFAULT '' NOT NULL,
    raw TEXT NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_processor_movements PRIMARY KEY (account_id, is_live, id),
    CONSTRAINT ck_processor_movements_status CHECK (status IN ('pending', 'available')),
    CONSTRAINT ck_processor_movements_net CHECK (net_minor = amount_minor - fee_minor)
);
CREATE INDEX ix_processor_movements_payment ON processor_movements (payment_intent_id, tenant_id) WHERE payment_intent_id IS NOT NULL;
CREATE INDEX ix_processor_movements_payout ON processor_movements (account_id, is_live, payout_ref, id);
CREATE INDEX ix_processor_movements_ref ON processor_movements (payment_ref) WHERE payment_ref <> '' AND payment_intent_id IS NOT NULL;
CREATE INDEX ix_processor_movements_pending ON processor_movements (account_id, is_live, created_at) WHERE status = 'pending';
COMMENT ON TABLE processor_movements IS 'Each balance transaction of an account at a processor, once, whoever saw it.';
CREATE TABLE processor_payouts (
    account_id TEXT NOT NULL,
    is_live BOOLEAN NOT NULL,
    id TEXT NOT NULL,
    payout_id UUID NOT NULL,
    tenant_id TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    status TEXT NOT NULL,
    bank TEXT NOT NULL,
    is_automatic BOOLEAN NOT NULL,
    reconciliation_status TEXT NOT NULL,
    is_matched BOOLEAN NOT NULL,
    arrives_at TIMESTAMP WITH TIME ZONE NOT NULL,
    movement_ref TEXT NOT NULL,
    failure_movement_ref TEXT NOT NULL,
    original_ref TEXT NOT NULL,
    reversed_by TEXT NOT NULL,
    trace_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    raw TEXT NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_processor_payouts PRIMARY KEY (account_id, is_live, id),
    CONSTRAINT ck_processor_payouts_bank CHECK (bank IN ('nothing', 'arrived', 'returned'))
);
COMMENT ON TABLE processor_payouts IS 'Each payout of an account at a processor, once, whoever saw it.';
CREATE TABLE processor_readings (
    account_id TEXT NOT NULL,
    is_live BOOLEAN NOT NULL,
    list TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE,
    cursor TEXT DEFAULT '' NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE,
    complete_until TIMESTAMP WITH TIME ZONE,
    deep_at TIMESTAMP WITH TIME ZONE,
    next_at TIMESTAMP WITH TIME ZONE NOT NULL,
    turn BIGINT DEFAULT '0' NOT NULL,
    failures INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_processor_readings PRIMARY KEY (account_id, is_live, list),
    CONSTRAINT ck_processor_readings_list CHECK (list IN ('movements', 'payouts', 'events'))
);
CREATE INDEX ix_processor_readings_due ON processor_readings (next_at);
COMMENT ON TABLE processor_readings IS 'How far each list of an account was read; one process at a time reads one.';
-- An account that is known today has its fees and payouts booked by events until now; what is added later is booked from its
-- statement alone.
ALTER TABLE stripe_accounts ADD COLUMN booked_from TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now();
ALTER TABLE stripe_accounts ALTER COLUMN booked_from SET DEFAULT 'epoch';
COMMENT ON COLUMN processor_movements.account_id IS 'The account at the processor: acct_...';
COMMENT ON COLUMN processor_movements.is_live IS 'Live or test mode, which share nothing.';
COMMENT ON COLUMN processor_movements.id IS 'The processor''s reference: txn_...';
COMMENT ON COLUMN processor_movements.movement_id IS 'Derived from the account and the reference.';
COMMENT ON COLUMN processor_movements.tenant_id IS 'In whose books it is: by its payment, else the owner''s.';
COMMENT ON COLUMN processor_movements.is_booked IS 'Whether it was published; false: of before booked_from.';
COMMENT ON COLUMN processor_movements.kind IS 'What moved, in our words.';
COMMENT ON COLUMN processor_movements.type IS 'The same in the processor''s words.';
COMMENT ON COLUMN processor_movements.reporting_category IS 'The processor''s category of it.';
COMMENT ON COLUMN processor_movements.source_ref IS 'What moved it: a charge, refund, dispute, payout; or empty.';
COMMENT ON COLUMN processor_movements.payment_ref IS 'The processor''s reference of the payment, or empty.';
COMMENT ON COLUMN processor_movements.charge_ref IS 'The processor''s reference of the charge, or empty.';
COMMENT ON COLUMN processor_movements.payment_intent_id IS 'The payment of ours; NULL: it belongs to none.';
COMMENT ON COLUMN processor_movements.refund_id IS 'The refund that we requested; NULL: none of ours.';
COMMENT ON COLUMN processor_movements.amount_minor IS 'Before fees, in minor units; below zero it left.';
COMMENT ON COLUMN processor_movements.fee_minor IS 'What was kept; below zero where it was given back.';
COMMENT ON COLUMN processor_movements.fee_details IS 'Its parts, as [kind, amount].';
COMMENT ON COLUMN processor_movements.net_minor IS 'The amount less the fee.';
COMMENT ON COLUMN processor_movements.currency IS 'What the account settles in: ISO 4217 code, upper case.';
COMMENT ON COLUMN processor_movements.exchange_rate IS 'The processor''s, as a decimal; empty where there is none.';
COMMENT ON COLUMN processor_movements.source_amount_minor IS 'The amount in the payment''s currency, where it is another.';
COMMENT ON COLUMN processor_movements.source_currency IS 'The payment''s currency, where it is another; or empty.';
COMMENT ON COLUMN processor_movements.created_at IS 'When the processor booked it.';
COMMENT ON COLUMN processor_movements.available_at IS 'From when on it can be paid out.';
COMMENT ON COLUMN processor_movements.status IS 'pending or available; never back.';
COMMENT ON COLUMN processor_movements.payout_ref IS 'The payout that it is part of, or empty.';
COMMENT ON COLUMN processor_movements.raw IS 'The balance transaction as it was last seen, as JSON.';
COMMENT ON COLUMN processor_movements.seen_at IS 'When it was first seen.';
COMMENT ON COLUMN processor_movements.updated_at IS 'When it last changed.';
COMMENT ON COLUMN processor_payouts.account_id IS 'The account at the processor: acct_...';
COMMENT ON COLUMN processor_payouts.is_live IS 'Live or test mode, which share nothing.';
COMMENT ON COLUMN processor_payouts.id IS 'The processor''s reference: po_...';
COMMENT ON COLUMN processor_payouts.payout_id IS 'Derived from the tenant and the reference.';
COMMENT ON COLUMN processor_payouts.tenant_id IS 'In whose books it is: the account''s owner when it was seen.';
COMMENT ON COLUMN processor_payouts.amount_minor IS 'In minor units; below zero the bank is debited.';
COMMENT ON COLUMN processor_payouts.currency IS 'ISO 4217 code, upper case.';
COMMENT ON COLUMN processor_payouts.status IS 'In the processor''s words; it only goes on, never back.';
COMMENT ON COLUMN processor_payouts.bank IS 'What was published of the bank: nothing, arrived, returned.';
COMMENT ON COLUMN processor_payouts.is_automatic IS 'Made by the processor''s own schedule.';
COMMENT ON COLUMN processor_payouts.reconciliation_status IS 'Whether its movements are known there.';
COMMENT ON COLUMN processor_payouts.is_matched IS 'Whether its movements bear its reference here.';
COMMENT ON COLUMN processor_payouts.arrives_at IS 'When it arrives, or should.';
COMMENT ON COLUMN processor_payouts.movement_ref IS 'The movement that took it, or empty.';
COMMENT ON COLUMN processor_payouts.failure_movement_ref IS 'The movement that brought it back, or empty.';
COMMENT ON COLUMN processor_payouts.original_ref IS 'The payout that it takes back, or empty.';
COMMENT ON COLUMN processor_payouts.reversed_by IS 'The payout that takes it back, or empty.';
COMMENT ON COLUMN processor_payouts.trace_id IS 'What the bank shows of it, or empty.';
COMMENT ON COLUMN processor_payouts.created_at IS 'When it was made.';
COMMENT ON COLUMN processor_payouts.raw IS 'The payout as it was last seen, as JSON.';
COMMENT ON COLUMN processor_payouts.updated_at IS 'When it last changed.';
COMMENT ON COLUMN processor_readings.account_id IS 'The account at the processor: acct_...';
COMMENT ON COLUMN processor_readings.is_live IS 'Live or test mode, which share nothing.';
COMMENT ON COLUMN processor_readings.list IS 'Which list is read: movements, payouts, events.';
COMMENT ON COLUMN processor_readings.since IS 'How far back the round in progress reads; NULL: none is.';
COMMENT ON COLUMN processor_readings.cursor IS 'From where its next page goes on.';
COMMENT ON COLUMN processor_readings.began_at IS 'When the round in progress began.';
COMMENT ON COLUMN processor_readings.complete_until IS 'When the last complete round began.';
COMMENT ON COLUMN processor_readings.deep_at IS 'When the last round began that read far back.';
COMMENT ON COLUMN processor_readings.next_at IS 'From when on anybody may read it.';
COMMENT ON COLUMN processor_readings.turn IS 'Who reads it: whose lease ended saves nothing.';
COMMENT ON COLUMN processor_readings.failures IS 'Pages in a row that could not be had.';
COMMENT ON COLUMN stripe_accounts.booked_from IS 'From when on its statement is booked; what is older was booked by the events of before.';
GRANT SELECT, INSERT, UPDATE ON processor_movements, processor_payouts, processor_readings TO gateway_app;
