"""Who may charge and who may sign in: passwords, tags, keys."""
