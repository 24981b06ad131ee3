import type { Gap } from './text-flow.js';

/** What elements of HTML do to a text. */

/** Gap before and behind an element; none for those that stand within a line. */
export function gapAround(name: string): Gap {
  return blockGaps.get(name) ?? '';
}

const blockGaps = new Map<string, Gap>([
  ...words(
    'p h1 h2 h3 h4 h5 h6 ul ol dl table pre blockquote section article main figure hr fieldset details body',
  ).map((name) => [name, '\n\n'] as const),
  ...words(
    'div li dt dd tr caption thead tbody tfoot address figcaption summary legend center title header hgroup footer nav aside form option',
  ).map((name) => [name, '\n'] as const),
  ['td', '\t'],
  ['th', '\t'],
]);

/** No text of a document, whatever page it is in. */
export const neverText = new Set(
  words('script style template noscript svg iframe object embed canvas audio video map datalist rp rt'),
);

/** Means to move through a site or to use it. */
const boilerplateElements = new Set(words('nav footer menu dialog button select input textarea label'));

const boilerplateRoles = new Set(
  words('navigation contentinfo search complementary menu menubar toolbar dialog alertdialog'),
);

/** Words of `class` and `id`, whole ones: parts of names (`menu` in `menu-reference`) mean other things. */
const boilerplateNames = new Set(
  words(
    'nav navbar nav-bar navigation nav-menu nav-links menu menubar main-menu mobile-nav ' +
      'sidebar side-bar sidenav sphinxsidebar toc table-of-contents ' +
      'footer page-footer site-footer ' +
      'breadcrumb breadcrumbs pagination pager skip-link skip-nav skip-to-content skiplink ' +
      'toplang bottomlang language-switcher lang-switcher ' +
      'headerlink permalink hash-link anchor-link mw-editsection edit-link edit-this-page ' +
      'share social social-links social-share share-buttons newsletter advertisement advert ads ' +
      'noprint navbox catlinks printfooter sr-only visually-hidden screen-reader-text',
  ),
);
const headerNames = new Set(words('header page-header site-header masthead'));
const cookieNotice = /^(?:cookies?|gdpr)[-_]?(?:banner|bar|notice|consent|popup|modal|overlay|dialog|law)/;

/** A section of a manual may well be called `footer`: only elements without a meaning are told by their names. */
const plainElements = new Set(words('div ul ol p span a table td'));
const asideNotes = /\b(?:note|tip|hint|info|important|warning|caution|danger|admonition)\b/i;

export type Attributes = Readonly<Record<string, string>>;

/** True where an element, by itself, is not part of what the page has to say. */
export function isBoilerplate(name: string, attributes: Attributes): boolean {
  if (boilerplateElements.has(name)) return true;
  const { role, hidden, style } = attributes;
  if (role !== undefined && boilerplateRoles.has(role.toLowerCase())) return true;
  if (hidden !== undefined || attributes['aria-hidden'] === 'true') return true;
  if (style !== undefined && /\bdisplay\s*:\s*none\b/i.test(style)) return true;
  if (name === 'aside') return !(role === 'note' || asideNotes.test(attributes['class'] ?? ''));
  return namesOf(name, attributes).some((word) => boilerplateNames.has(word) || cookieNotice.test(word));
}

/** True for the top of a page: boilerplate, but for the main heading that may stand in it. */
export function isHeader(name: string, attributes: Attributes): boolean {
  if (name === 'header' || attributes['role'] === 'banner') return true;
  return namesOf(name, attributes).some((word) => headerNames.has(word));
}

/** The words by which an element may be told. */
function namesOf(name: string, attributes: Attributes): readonly string[] {
  if (!plainElements.has(name)) return [];
  const classes = words((attributes['class'] ?? '').toLowerCase());
  return classes.includes('section') ? [] : [...classes, (attributes['id'] ?? '').toLowerCase()];
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
