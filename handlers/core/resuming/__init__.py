"""What schedulers do when a run resumes: load states, follow policies, and correct missed or repeated events."""
