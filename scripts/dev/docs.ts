/** `npm run docs`: writes the pages of docs/ that are views of tables in the code. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadBinding, packageRoot } from '../../src/native/load.ts';
import { referencePages } from './reference-pages.ts';

const root = packageRoot();
for (const [path, text] of referencePages(loadBinding(), root)) {
  writeFileSync(join(root, path), text);
  console.log(path);
}
