//! Text to plan: YAML with spans, key table, types, templates, conditions, inventory, expansion, graph.
