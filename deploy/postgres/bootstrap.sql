-- Roles, schemas and rights of the four services. Run by a superuser INSIDE the platform's database; safe to run again.
--
--   psql -d payments -v ON_ERROR_STOP=1 -v api_owner_password=... -v api_app_password=... (and so on for ledger,
--        gateway and notifier) -f bootstrap.sql
--
-- For each service <s>:
--   <s>_owner  migrates: logs in, owns the schema <s>;
--   <s>_app    serves: logs in, may enter the schema <s> and nothing else. What it may do with a table is granted by
--              that table's own migration, so there are no default privileges here;
--   <s>_requests  is what <s>_app becomes while it serves one tenant's request: row-level security shows it that tenant's
--              rows and no others. Nobody logs in as it.
-- No role may enter another service's schema. Names are fixed; passwords are the eight variables.
-- `python -m deploy.local bootstrap` runs this same file: only plain SQL and :'variables', no psql meta-commands.

-- psql does not substitute variables inside the quoted body below, so they travel as settings of this session.
SELECT set_config('bootstrap.api_owner', :'api_owner_password', false) IS NOT NULL AS api_owner,
       set_config('bootstrap.api_app', :'api_app_password', false) IS NOT NULL AS api_app,
       set_config('bootstrap.ledger_owner', :'ledger_owner_password', false) IS NOT NULL AS ledger_owner,
       set_config('bootstrap.ledger_app', :'ledger_app_password', false) IS NOT NULL AS ledger_app,
       set_config('bootstrap.gateway_owner', :'gateway_owner_password', false) IS NOT NULL AS gateway_owner,
       set_config('bootstrap.gateway_app', :'gateway_app_password', false) IS NOT NULL AS gateway_app,
       set_config('bootstrap.notifier_owner', :'notifier_owner_password', false) IS NOT NULL AS notifier_owner,
       set_config('bootstrap.notifier_app', :'notifier_app_password', false) IS NOT NULL AS notifier_app;

DO $bootstrap$
DECLARE
    service text;
    kind text;
    role_name text;
BEGIN
    -- The public schema and the database are for nobody but those named below.
    EXECUTE 'REVOKE ALL ON SCHEMA public FROM PUBLIC';
    EXECUTE format('REVOKE CONNECT, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());

    FOREACH service IN ARRAY ARRAY['api', 'ledger', 'gateway', 'notifier'] LOOP
        FOREACH kind IN ARRAY ARRAY['owner', 'app'] LOOP
            role_name := service || '_' || kind;
            -- Roles belong to the whole cluster; another database's bootstrap may make them at this very moment.
            BEGIN
                EXECUTE format(
                    'CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION', role_name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
            EXECUTE format('ALTER ROLE %I PASSWORD %L', role_name, current_setting('bootstrap.' || role_name));
            EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), role_name);
            -- PostgreSQL refreshes a materialized view beside its readers by way of a temporary table of the view's owner.
            IF kind = 'owner' THEN
                EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO %I', current_database(), role_name);
            END IF;
            EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %I',
                           role_name, current_database(), service);
        END LOOP;

        role_name := service || '_requests';
        BEGIN
            EXECUTE format(
                'CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION', role_name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        -- The runtime role does not inherit it, and so has its limits and rights only while it is it.
        EXECUTE format('GRANT %I TO %I', role_name, service || '_app');

        -- A superuser of a managed database is not a real one and must be a member of the role it gives a schema to.
        IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', service || '_owner');
        END IF;
        EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', service, service || '_owner');
        EXECUTE format('ALTER SCHEMA %I OWNER TO %I', service, service || '_owner');
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', service);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I, %I', service, service || '_app', service || '_requests');
    END LOOP;
END
$bootstrap$;

RESET ALL;
