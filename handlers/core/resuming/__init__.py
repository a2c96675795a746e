"""What happens when a run resumes: states, policies, and events that are missed or repeated."""
