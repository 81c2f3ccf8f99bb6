// The ways by which gradients come back to the numbers of a step, walked on from what the page keeps of them.

/** Numbers as embed_numbers keeps them: a function of the place. */
function readNumbers(kept) {
  if (typeof kept === "number") return () => kept;
  if (kept.palette) {
    const places = decode(kept.places);
    return (i) => kept.palette[places[i]];
  }
  const numbers = decode(kept), { scale = 1 } = kept;
  return (i) => scale * numbers[i];
}

class Ways {
  constructor({ ways, nodes }) {
    this.tables = new Map(ways.map((table) => [table.node, table]));
    this.loss = nodes.at(-1).id;
  }

  /** Something that a table keeps, read when it is first asked for. */
  read(owner, name) {
    owner.opened ??= {};
    return (owner.opened[name] ??= readNumbers(owner[name]));
  }

  /** The gradient of the j-th number of a node's value. */
  gradient(id, j) {
    return id === this.loss ? 1 : this.of(id, j).total;
  }

  /** The way of the j-th number of a node that counts most: { user, out, arriving, local, ways, total }. */
  of(id, j) {
    const table = this.tables.get(id), none = { ways: 0, total: 0 };
    if (!table) return none;
    if (table.users.some((user) => user.x !== undefined || user.swaps)) return this.ofProducts(table, j);
    const i = table.numbers === null ? j : this.find(table, j);
    if (i < 0) return none;
    const user = table.users[this.read(table, "user")(i)], { shift } = table.out;
    const out = shift === undefined ? this.read(table, "out")(i) : j + shift, local = this.read(table, "local")(i);
    const ways = table.ways === null ? undefined : this.read(table, "ways")(i);
    if (ways === 0) return none;
    const arriving = this.gradient(user.node, out);
    if (ways === undefined) return { user, out, arriving, local, ways: arriving * local ? 1 : 0, total: arriving * local };
    return { user, out, arriving, local, ways, total: this.read(table, "total")(i) };
  }

  /** Of a weight: it goes into a product x @ w once for each example. */
  ofProducts({ shape: [rows, columns], users }, j) {
    const row = Math.floor(j / columns), column = j % columns, best = { ways: 0, total: 0 };
    let most = 0;
    const consider = (user, out, local) => {
      const arriving = this.gradient(user.node, out), passed = arriving * local;
      if (passed) best.ways++;
      best.total += passed;
      if (Math.abs(passed) <= most) return;
      most = Math.abs(passed);
      Object.assign(best, { user, out, arriving, local });
    };
    for (const user of users) {
      if (user.swaps) consider(user, column * rows + row, 1);
      else for (let n = 0; n < user.shape[0]; n++) consider(user, n * columns + column, this.read(user, "x")(n * rows + row));
    }
    return best;
  }

  /** Where a table keeps the j-th number; -1 if it doesn't. */
  find(table, j) {
    table.places ??= new Map(Array.from(decodeIntegers(table.numbers), (number, i) => [number, i]));
    return table.places.get(j) ?? -1;
  }

  /** The hops of a number at an index of a node's value, from the loss down. */
  hops({ node, shape }, index) {
    const found = [];
    let [id, j, from] = [node, flat(index, shape), shape];
    for (let way = this.of(id, j); way.ways; way = this.of(id, j)) {
      const { user, out, arriving, local, ways, total } = way;
      found.push({ node: user.node, argument: user.argument, out: unflat(out, user.shape), into: unflat(j, from), arriving, local, passed: arriving * local, ways, total });
      [id, j, from] = [user.node, out, user.shape];
    }
    return found.reverse();
  }
}

function decodeIntegers(kept) {
  if (typeof kept === "number") return [kept];
  return kept.palette ? Array.from(decode(kept.places), (place) => kept.palette[place]) : decode(kept);
}

/** The place of an index in memory, and back. */
function flat(index, shape) {
  return index.reduce((place, i, axis) => place * shape[axis] + i, 0);
}

function unflat(place, shape) {
  const index = [];
  for (const length of [...shape].reverse()) {
    index.unshift(place % length);
    place = Math.floor(place / length);
  }
  return index;
}
