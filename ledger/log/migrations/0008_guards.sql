-- What ran is not rewritten either. Its rows are added by migrations alone.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON log.migrations
    FOR EACH STATEMENT EXECUTE FUNCTION log.refuse_change();
ALTER TABLE log.migrations ENABLE ALWAYS TRIGGER append_only;
REVOKE UPDATE, DELETE, TRUNCATE ON log.migrations FROM PUBLIC, CURRENT_USER;

-- The reference was checked with the rights of the documents' owner, who may not lock a row there since 0004. What a
-- recipe is kept under is its digest, and documents are never removed.
ALTER TABLE projections.compiled DROP CONSTRAINT compiled_recipe_fkey;
