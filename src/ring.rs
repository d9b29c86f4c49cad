//! Stage one.
