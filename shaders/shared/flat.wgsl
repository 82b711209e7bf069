// The pixel of a thread of a kernel of a thread a pixel. Grids too large for one dimension are stacked in planes.
fn flat_pixel(id: vec3<u32>) -> u32 {
    return id.x + id.z * FLAT_PLANE;
}
