//! Models of devices: modulators, cameras and their noise, in the form the engines share.

pub mod noise;
