//! What charts are made of: axes, colours and shapes. `preview` and `score` draw with them.

pub mod axis;
pub mod palette;
pub mod shapes;
