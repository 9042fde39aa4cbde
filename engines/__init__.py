"""How tasks are spread: one adapter per engine behind one interface.  Knows no workload."""
