/** The page of `dimmer console`: begins where the bundle is loaded. */
import { effect } from '@preact/signals';
import { render } from 'preact';
import { App } from './app.tsx';
import { start } from './store.ts';
import { showTheme } from './theme.ts';

effect(showTheme);
const root = document.getElementById('app');
if (root === null) throw new Error('index.html has no #app');
render(<App />, root);
void start();
