"""What the events mean together: facts, lives of ids, connections, messages."""
