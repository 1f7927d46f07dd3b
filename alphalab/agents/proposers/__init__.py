"""What proposes factors: functions from a view of the past to texts."""
