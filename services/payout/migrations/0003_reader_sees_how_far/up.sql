-- Lets a reader see how much of the outbox was published, so that `premia fsck` can tell what was never told from what is on its way.
-- What the messages say stays closed. Locks nothing but the two tables' own definitions, for an instant.

SET LOCAL ROLE payout_owner;
GRANT SELECT ON payout.relay_cursor, payout.outbox_head TO payout_reader;
RESET ROLE;
