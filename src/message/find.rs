//! What nodes say to find the owner of an id and to keep their links.

/// One message between two nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FindMessage {}
