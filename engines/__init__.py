"""The engine adapters, all behind one interface.  This package knows no workload."""
