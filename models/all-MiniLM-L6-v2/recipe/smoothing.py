"""Shift and smoothing of the channels of one quantised input, by descent on the expected noise."""

import numpy as np

RATE, AVERAGE, SQUARES = 0.06, 0.9, 0.99  # Adam


def fit(x, w, levels=127, rho=0.3, shift=None, steps=200, batch=1024, seed=0):
    """x: sampled rows [T, K]; w: all weights that read them [K, N]. Minimises over smooth (and shift, unless given)

        sum_k s_k^2 |w_k|^2 * E_rows[max_k z_k^2] / levels^2              activations: one step a row
      + rho * sum_n max_k (s_k w_kn)^2 / 110^2 * sum_k E_rows[z_k^2]      weights: one step a column

    with z = (x - shift) / s. rho < 1 since GPTQ takes off a part of the weights' noise; 110 is the usual largest
    weight in steps. Returns shift [K] and smooth [K] (geometric mean 1).
    """
    rng, k = np.random.default_rng(seed), x.shape[1]
    free = shift is None
    if free:
        shift = (np.percentile(x[::4], 99.9, axis=0) + np.percentile(x[::4], 0.1, axis=0)) / 2
    shift = shift.astype(np.float64)
    squares = (w.astype(np.float64) ** 2).sum(1) + 1e-12
    size, columns = np.abs(w).astype(np.float32), np.arange(w.shape[1])
    unit = np.sqrt(((x[::4] - shift.astype(np.float32)) ** 2).mean(0)).astype(np.float64) + 1e-5
    log_s = 0.5 * np.log(unit) - 0.25 * np.log(squares)
    log_s -= log_s.mean()
    mean, power = np.zeros((2, k)), np.zeros((2, k))
    for t in range(1, steps + 1):
        s = np.exp(log_s)
        z = (x[rng.integers(0, len(x), batch)] - shift.astype(np.float32)) / s.astype(np.float32)
        top = np.abs(z).argmax(1)
        z_top = z[np.arange(batch), top].astype(np.float64)
        z_square, row_square = (z**2).mean(0).astype(np.float64), (z_top**2).mean()
        scaled = size * s[:, None].astype(np.float32)
        big = scaled.argmax(0)
        big_square = scaled[big, columns].astype(np.float64) ** 2
        out = s * s * squares
        rows = out.sum() * row_square / levels**2
        cols = rho * big_square.sum() * z_square.sum() / 110**2
        in_top = np.bincount(top, weights=z_top**2, minlength=k) / batch
        slope_rows = 2 * out / out.sum() - 2 * in_top / row_square
        slope_cols = 2 * np.bincount(big, weights=big_square, minlength=k) / big_square.sum()
        slope_cols -= 2 * z_square / z_square.sum()
        slope = (rows * slope_rows + cols * slope_cols) / (rows + cols)
        move_rows = np.bincount(top, weights=z_top, minlength=k) / batch / row_square
        move_cols = z.mean(0) / z_square.sum()
        move = -2 * unit / s * (rows * move_rows + cols * move_cols) / (rows + cols)
        g = np.stack([slope, move])
        mean, power = AVERAGE * mean + (1 - AVERAGE) * g, SQUARES * power + (1 - SQUARES) * g * g
        step = (mean / (1 - AVERAGE**t)) / (np.sqrt(power / (1 - SQUARES**t)) + 1e-9)
        step *= RATE * (1 - t / (steps + 1))
        log_s -= step[0]
        if free:
            shift -= 0.2 * step[1] * unit
    return shift.astype(np.float32), np.exp(log_s - log_s.mean()).astype(np.float32)
