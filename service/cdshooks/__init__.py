"""CDS Hooks on the wire: requests, prefetch and feedback as read, and the shapes they must have."""
