#!/usr/bin/env node
/** The plugin of kubectl: found by its name, `kubectl dimmer` runs it. */
import { begin } from './begin.ts';

begin('kubectl dimmer', 'cluster');
