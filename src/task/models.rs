//! Models of the task cell.
