"""What documents say, as rows: chunks, mentions, entities and what relates them; where they are written and looked for."""
