//! The model against what the real library was seen to do.
fn main() {}
