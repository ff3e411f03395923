/** Parts of a page that its module cannot do without. */

/**
 * The element of that id. Throws where the template has none, or one of another kind.
 * @template {Element} E
 * @param {string} id
 * @param {new (...values: any[]) => E} kind
 * @returns {E}
 */
export function part(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no #${id}`);
  return found;
}
