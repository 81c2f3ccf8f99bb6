// Images and gradients on a canvas, one canvas pixel for each pixel of the data.

/** A canvas of an image's size that is scaled up without blur. */
function pixelCanvas([height, width], label) {
  return h("canvas", { class: "pixels", width, height, role: "img", "aria-label": label, "data-name": label });
}

/** Draw pixels(i) = [r, g, b], i the number of the pixel. */
function drawPixels(canvas, pixels) {
  const context = canvas.getContext("2d"), image = context.createImageData(canvas.width, canvas.height);
  for (let i = 0; i < canvas.width * canvas.height; i++) image.data.set([...pixels(i), 255], 4 * i);
  context.putImageData(image, 0, 0);
}

/** Draw an image whose values, 0 to 255, have 1 or 3 channels. */
function drawImage(canvas, values, channels) {
  drawPixels(canvas, (i) => (channels >= 3 ? values.subarray(i * channels, i * channels + 3) : Array(3).fill(values[i * channels])));
  describe(canvas, `${percent(mean(values) / 255)} of full brightness`);
}

/** Draw a signed array (mean over channels) as vermillion for more and blue for less, over a dim image. */
function drawPush(canvas, values, push, channels, largest) {
  drawPixels(canvas, (i) => {
    const start = i * channels, grey = 0.45 * mean(values.subarray(start, start + channels)) + 20;
    const value = largest > 0 ? clamp(mean(push.subarray(start, start + channels)) / largest, -1, 1) : 0;
    const colour = value > 0 ? MORE : LESS, share = Math.abs(value) ** 0.7; // so that small ones are visible
    return colour.map((one) => grey + share * (one * 1.1 - grey));
  });
  const shareOf = (holds) => percent(push.filter(holds).length / push.length);
  describe(canvas, `above zero in ${shareOf((value) => value > 0)} of it, below in ${shareOf((value) => value < 0)}`);
}
