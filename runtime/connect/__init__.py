"""What asks the brokers or Quix Cloud: at the start, before commits, and to explain errors."""
