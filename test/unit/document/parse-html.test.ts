import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseHtml } from '#embatch/document/parse-html.js';
import { parseXml } from '#embatch/document/parse-xml.js';

const filler = 'A sentence of the page. '.repeat(30).trim();

describe('the text of a page', () => {
  const cases: [name: string, html: string, text: string][] = [
    ['has paragraphs apart', '<p>a</p><p>b</p>', 'a\n\nb'],
    ['has blocks on their own lines', '<div>a<div>b</div>c</div><ul><li>d<li>e</ul>', 'a\nb\nc\n\nd\ne'],
    ['keeps words together', '<p>a<b>b</b> <i>c</i>\n d<br>e<br/><br>f</p>', 'ab c d\ne\n\nf'],
    ['collapses white space', '<p>\n  a \t b&nbsp;&nbsp;c\n</p>', 'a b c'],
    ['keeps the wide space of Chinese', '<p>a\u3000b</p>', 'a\u3000b'],
    ['drops soft hyphens', '<p>long&shy;word</p>', 'longword'],
    ['decodes entities', '<p>&lt;a&gt; &amp;amp; &eacute;&#x65e5;&#128512;</p>', '<a> &amp; é日😀'],
    ['separates cells', '<table><tr><th>a<th>b</tr><tr><td>c</td><td>d</td></tr></table>', 'a\tb\nc\td'],
    [
      'keeps preformatted text',
      '<p>x</p><pre>\n  a\n    b &lt;\r\n\n<b>c</b> <br>d\n</pre>y',
      'x\n\n  a\n    b <\n\nc \nd\n\ny',
    ],
    [
      'has no scripts and styles',
      '<style>p{}</style><p>a<script>if (a<b) "</p>"</script>b</p><noscript>c</noscript>',
      'ab',
    ],
    ['has no pictures and comments', '<svg><title>x</title><text>y</text></svg><!-- c --><p>a</p>', 'a'],
    ['has no menus', `<nav>x</nav><div role=navigation>y</div><ul class="main-menu big">z</ul><p>a</p>`, 'a'],
    ['has no headers and footers', '<header>x</header><p>a</p><footer>y</footer><div id=footer>z</div>', 'a'],
    ['has the main heading of a header', '<header><a>x</a><h1>H</h1><p>y</p></header><p>a</p>', 'H\n\na'],
    ['has the header of an article', '<article><header>x</header><p>a</p></article>', 'x\n\na'],
    ['has no asides but notes', '<aside>x</aside><aside class="admonition note">b</aside><p>a</p>', 'b\n\na'],
    [
      'has no buttons and short forms',
      '<p>a</p><form>Name <input><label>x</label><h2>y</h2><button>z</button></form>',
      'a',
    ],
    ['has what lies in a form around the page', `<form><p>${filler}</p><button>x</button></form>`, filler],
    [
      'has nothing hidden',
      '<p hidden>x</p><p aria-hidden=true>y</p><p style="display: none">z</p><p>a</p>',
      'a',
    ],
    [
      'has no cookie notices',
      '<div class="cookie-banner">x</div><div id="gdpr-consent">y</div><p>a</p>',
      'a',
    ],
    [
      'has sections that are called like menus',
      '<section id=footer>a</section><div class=section id=menu>b</div>',
      'a\n\nb',
    ],
    [
      'has names that only look like menus',
      '<div class="menu-reference">a</div><div id="cookie-syntax">b</div>',
      'a\nb',
    ],
    ['has no permanent links', '<h2>a<a class=headerlink>¶</a></h2>', 'a'],
    [
      'is all there is where nothing else is',
      '<nav>a</nav><form>b</form><script>x</script><footer>c</footer>',
      'a\nb\nc',
    ],
    ['survives tags that are never closed', '<div><p>a<div><b>b', 'a\n\nb'],
    ['is that of XHTML', '<script src="x"/><a name="x"/><div/><p>a</p>', 'a'],
    ['is empty where the page is', '<html><head><title>t</title></head><body><br></body></html>', ''],
  ];
  for (const [name, html, text] of cases) it(name, () => assert.equal(parseHtml(html).text, text));
});

describe('headings of a page', () => {
  it('stand where they say', () => {
    const html =
      '<title> T\n t </title><p>x<h1> a <b>b</b>\n</h1>y<h3>😀</h3><nav><h2>n</h2></nav><h6>c<a class=permalink>#</a></h6><h2> </h2>';
    const { text, title, headings = [] } = parseHtml(html);
    assert.equal(title, 'T t');
    assert.deepEqual(
      headings.map(({ level, text: words }) => [level, words]),
      [
        [1, 'a b'],
        [3, '😀'],
        [6, 'c'],
      ],
    );
    for (const heading of headings) assert.ok(text.startsWith(heading.text, heading.start));
  });

  it('of a form that is dropped go with it', () => {
    assert.deepEqual(parseHtml('<form><h2>x</h2></form><h3>a</h3>').headings, [
      { start: 0, level: 3, text: 'a' },
    ]);
  });

  it('give the title where the page has none', () => {
    assert.equal(parseHtml('<title> </title><h2>a</h2><h1>b</h1>').title, 'a');
    assert.equal(parseHtml('<p>a</p>').title, undefined);
  });
});

describe('the text of XML', () => {
  const cases: [name: string, xml: string, text: string][] = [
    ['has elements on their own lines', '<a><b>x</b><c>y</c></a>', 'x\ny'],
    ['keeps sentences together', '<p>a <i>b</i> c<i>d</i>.</p><p>e</p>', 'a b cd.\ne'],
    ['leaves nothing out', '<x><nav>a</nav><script>b</script><Link>c</Link></x>', 'a\nb\nc'],
    ['decodes sections and entities', '<x><![CDATA[a <b> &amp;]]>&lt;</x>', 'a <b> &amp;<'],
  ];
  for (const [name, xml, text] of cases) it(name, () => assert.equal(parseXml(xml).text, text));

  it('has the title of the first title', () => {
    assert.equal(parseXml('<r xmlns:dc="d"><dc:title> a  b</dc:title><title>c</title></r>').title, 'a b');
  });
});
