-- The variables of bootstrap.sql, out of the environment of psql: on its command line every process of the machine could read them.
--   psql -d payments -v ON_ERROR_STOP=1 -f variables.sql -f bootstrap.sql
-- One that is missing stays unset, and bootstrap.sql is then refused.
\getenv api_owner_password API_OWNER_PASSWORD
\getenv api_app_password API_APP_PASSWORD
\getenv ledger_owner_password LEDGER_OWNER_PASSWORD
\getenv ledger_app_password LEDGER_APP_PASSWORD
\getenv gateway_owner_password GATEWAY_OWNER_PASSWORD
\getenv gateway_app_password GATEWAY_APP_PASSWORD
\getenv notifier_owner_password NOTIFIER_OWNER_PASSWORD
\getenv notifier_app_password NOTIFIER_APP_PASSWORD
