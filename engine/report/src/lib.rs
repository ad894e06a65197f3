//! Consumers of events: progress, lines, JSON, the failure card.
