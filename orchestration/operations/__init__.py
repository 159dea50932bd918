"""What a scheduler does to a home besides refreshing it: examine, back up, restore."""
