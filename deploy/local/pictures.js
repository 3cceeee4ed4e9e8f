// Reads a PNG, in base64, into at most 48 colours, which is what text needs: those that are there most and are unlike each other, and for any other the nearest of them.
async (encoded) => {
  const COLOURS = 48;
  const bytes = Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const counts = new Map();
  for (let at = 0; at < data.length; at += 4) {
    const colour = (data[at] << 16) | (data[at + 1] << 8) | data[at + 2];
    counts.set(colour, (counts.get(colour) || 0) + 1);
  }
  const parts = (colour) => [colour >> 16, (colour >> 8) & 255, colour & 255];
  const distance = (one, other) => parts(one).reduce((sum, part, at) => sum + (part - parts(other)[at]) ** 2, 0);
  // Of what is there less often, what is unlike all that is kept: a single link keeps its colour.
  const rest = [...counts].sort((one, other) => other[1] - one[1]).slice(0, 2000);
  const kept = [rest[0][0]];
  const far = rest.map(([colour]) => distance(colour, kept[0]));
  while (kept.length < Math.min(COLOURS, rest.length)) {
    let best = 0;
    rest.forEach(([, count], at) => { if (far[at] * Math.sqrt(count) > far[best] * Math.sqrt(rest[best][1])) best = at; });
    kept.push(rest[best][0]);
    rest.forEach(([colour], at) => { far[at] = Math.min(far[at], distance(colour, rest[best][0])); });
  }
  const places = new Map(kept.map((colour, place) => [colour, place]));
  for (const colour of counts.keys()) {
    if (places.has(colour)) continue;
    let nearest = 0;
    kept.forEach((one, place) => { if (distance(colour, one) < distance(colour, kept[nearest])) nearest = place; });
    places.set(colour, nearest);
  }
  let pixels = "";
  for (let at = 0; at < data.length; at += 4) {
    pixels += String.fromCharCode(places.get((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]));
  }
  return { width: image.width, palette: kept.flatMap(parts), pixels: btoa(pixels) };
}
