-- Rollback: the release before sets neither column and runs beside them; leave them.
-- How long the output of the attempt's job was to be, where its params say so: the measure by which the next is estimated.
ALTER TABLE usage ADD COLUMN output_ms INTEGER;

-- Bytes of the input, as it was when the job was made.
ALTER TABLE export_jobs ADD COLUMN input_size INTEGER;
