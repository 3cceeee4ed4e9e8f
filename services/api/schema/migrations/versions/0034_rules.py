"""Roles, permissions and policies, which only the seeds wrote so far: also without them, and where they ran before a permission was new."""

from alembic import op

revision = "0034"
down_revision = "0033"

_ROLES = """
INSERT INTO api.roles (name, description) VALUES
    ('admin', 'May do everything that the tenant''s plan admits.'),
    ('ops', 'Takes payments, and keeps the books.'),
    ('sales', 'Looks at payments.')
ON CONFLICT DO NOTHING
"""
_RULES = """
WITH rule (permission, description, roles, plans) AS (
    VALUES
    ('payments:write', 'Create and confirm payments.',
     '{admin,ops}'::text[], '{pro,enterprise}'::text[]),
    ('payments:read', 'Look at payments.', '{admin,ops,sales}', '{free,pro,enterprise}'),
    ('ledger:read', 'Look at the books and the chart of accounts.', '{admin,ops}', '{pro,enterprise}'),
    ('ledger:write',
     'Post to the books by hand: entries, holds, reversals, closed periods, conversions of currencies.',
     '{admin,ops}', '{pro,enterprise}'),
    ('ledger:approve', 'Decide about journal entries that somebody else proposed.', '{admin}', '{pro,enterprise}'),
    ('admin:write', 'Change accounts and their roles, exchange rates and webhook endpoints.', '{admin}', '{enterprise}'),
    ('profile:read', 'Look at one''s own profile.', '{admin,ops,sales}', '{free,pro,enterprise}')
),
new AS (
    INSERT INTO api.permissions (name, description) SELECT permission, description FROM rule
    ON CONFLICT DO NOTHING RETURNING name
),
held AS (
    INSERT INTO api.role_permissions (role, permission)
    SELECT role, permission FROM rule JOIN new ON name = permission CROSS JOIN unnest(roles) AS role
    ON CONFLICT DO NOTHING
)
INSERT INTO api.policies (permission, effect, allowed_plans, allowed_regions)
SELECT permission, 'allow', plans, '{region-a,region-b,us-west-2,eu-west-1,sa-east-1,global}'
  FROM rule JOIN new ON name = permission
ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    """Add each permission that is missing, with who holds it and what narrows it; what is there stays as it is.

    Nothing is published of it: processes read policies again every `ACCESS_AGE_MAX_SECONDS`.
    """
    op.execute(_ROLES)
    op.execute("ALTER TABLE api.policies DISABLE TRIGGER policies_access_changed")
    op.execute(_RULES)
    op.execute("ALTER TABLE api.policies ENABLE TRIGGER policies_access_changed")
