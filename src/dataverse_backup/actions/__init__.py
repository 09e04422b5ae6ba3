"""The verbs, one module each: generators of results that somebody else renders."""
