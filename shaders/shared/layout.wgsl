// Where things lie. The work array holds ROWS x PADDED_COLS values a sample in blocks of BLOCK_ROWS x BLOCK_COLS, so that
// row and column workgroups both touch whole memory sectors; transfer functions use the same order.
fn work_index(row: u32, col: u32) -> u32 {
    let block = (row / BLOCK_ROWS) * (PADDED_COLS / BLOCK_COLS) + col / BLOCK_COLS;
    return block * (BLOCK_ROWS * BLOCK_COLS) + (row % BLOCK_ROWS) * BLOCK_COLS + col % BLOCK_COLS;
}

// Whether a value of a row kernel lies on a pixel that holds light. FULL_* are constants: unpadded grids test nothing.
fn inside(row: u32, col: u32) -> bool {
    return (FULL_ROWS || row < ROWS) && (FULL_COLS || col < COLS);
}

// Whether a row kernel's line exists (the last workgroup may have too many).
fn exists(row: u32) -> bool {
    return FULL_ROWS || row < ROWS;
}

// Pixels that hold light, row-major: masks, factors, recorded fields, phases, gradients.
fn pixel_index(row: u32, col: u32) -> u32 {
    return row * COLS + col;
}
