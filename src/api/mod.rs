//! The JSON that programs rely on. Its structs are made from outcomes and are nobody's working data.

pub mod json;
pub mod views;
