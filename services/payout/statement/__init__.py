"""The statement as people read it: words, numbers and pages made from the statement document. No database, no Kafka."""
