"""How the entities of a document are related, with the evidence for it."""
